/** A device that behaves as a real one but for what a test changes. */

/** `device` with some members replaced; the real one does the rest. */
export function wrapped(device: GPUDevice, changes: Partial<GPUDevice>): GPUDevice {
  return new Proxy(device, {
    get(target, key) {
      const changed: unknown = Reflect.get(changes, key);
      if (changed !== undefined) return changed;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A device that counts its buffers, and the bytes in them, until they are destroyed. */
export function counted(device: GPUDevice): {
  readonly device: GPUDevice;
  readonly live: ReadonlyMap<GPUBuffer, number>;
} {
  const live = new Map<GPUBuffer, number>();
  const createBuffer = (descriptor: GPUBufferDescriptor): GPUBuffer => {
    const buffer = device.createBuffer(descriptor);
    live.set(buffer, descriptor.size);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      live.delete(buffer);
      destroy();
      return undefined;
    };
    return buffer;
  };
  return { device: wrapped(device, { createBuffer }), live };
}

/** A device with lower limits than it has: what asks first is refused. */
export function limited(device: GPUDevice, limits: Readonly<Record<string, number>>): GPUDevice {
  const lower = new Proxy(device.limits, {
    get: (target, key) => limits[String(key)] ?? (Reflect.get(target, key, target) as unknown),
  });
  return wrapped(device, { limits: lower });
}

/** A device whose memory ends at `capacity` bytes: as WebGPU says it, by error scopes. */
export function exhausted(
  device: GPUDevice,
  capacity: number,
): { readonly device: GPUDevice; readonly live: ReadonlyMap<GPUBuffer, number> } {
  const { device: inner, live } = counted(device);
  const scopes: { readonly filter: GPUErrorFilter; error?: GPUError }[] = [];
  const createBuffer = (descriptor: GPUBufferDescriptor): GPUBuffer => {
    const used = [...live.values()].reduce((sum, bytes) => sum + bytes, 0);
    const scope = scopes.findLast(({ filter }) => filter === "out-of-memory");
    if (used + descriptor.size > capacity && scope !== undefined) {
      scope.error ??= { message: "no memory left" };
      return inner.createBuffer({ ...descriptor, size: 16 }); // stands for the invalid buffer
    }
    return inner.createBuffer(descriptor);
  };
  const pushErrorScope = (filter: GPUErrorFilter): undefined => {
    device.pushErrorScope(filter);
    scopes.push({ filter });
    return undefined;
  };
  const popErrorScope = async (): Promise<GPUError | null> => {
    const scope = scopes.pop();
    const error = await device.popErrorScope();
    return scope?.error ?? error;
  };
  return { device: wrapped(inner, { createBuffer, pushErrorScope, popErrorScope }), live };
}
