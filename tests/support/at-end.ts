/** What tests share is closed at the end of a run; of each file where files run side by side. Loaded by mocha before the tests. */
const closers = new Set<() => Promise<void>>();

/** Calls `close` at the end, once. */
export function atEnd(close: () => Promise<void>): void {
  closers.add(close);
}

export const mochaHooks = {
  async afterAll(): Promise<void> {
    const open = [...closers];
    closers.clear();
    for (const close of open) await close();
  },
};
