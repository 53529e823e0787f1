/** A kernel as a WGSL module, with what a dispatch of it needs. */
import type { Dim } from "../../runtime/bundle-format.js";
import { render } from "../../templates/wgsl.js";
import { fillContract } from "./fill/contract.js";
import { fillMap } from "./fill/map.js";
import type { Filled } from "./fill/printed.js";
import { fillReduce } from "./fill/reduce.js";
import { fillScan } from "./fill/scan.js";
import { fillSequential } from "./fill/sequential.js";
import { ModuleContext } from "./module-context.js";
import type { Kernel } from "./types.js";

export interface PrintedKernel {
  readonly code: string;
  readonly workgroup: readonly [number, number, number];
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** Workgroups of a dispatch, over the program's numbers. */
  readonly dispatch: readonly [Dim, Dim, Dim];
}

/** @param numbers all run-time numbers of the program, in the order of its uniform block. */
export function printWgsl(kernel: Kernel, numbers: readonly string[]): PrintedKernel {
  const context = new ModuleContext(kernel, numbers);
  const { body, workgroup, workgroupBytes, dispatch } = fill(kernel, context);
  return { code: render(context.module(body)), workgroup: [workgroup, 1, 1], workgroupBytes, dispatch };
}

function fill(kernel: Kernel, context: ModuleContext): Filled {
  switch (kernel.skeleton) {
    case "map":
      return fillMap(kernel, context);
    case "reduce":
      return fillReduce(kernel, context);
    case "contract":
      return fillContract(kernel, context);
    case "scan":
      return fillScan(kernel, context);
    case "sequential":
      return fillSequential(kernel, context);
  }
}
