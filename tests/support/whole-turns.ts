/** States of a session beside those of the oracle, which counts whole turns. */
import type { HostTensor } from "../../runtime/index.js";

const REST = ":rest";
const TURN = 2 * Math.PI;

/** The states with angles as near to the expected ones as whole turns bring them. */
export function withWholeTurns(
  states: Readonly<Record<string, HostTensor>>,
  expected: (name: string) => ArrayLike<number> | undefined,
): Readonly<Record<string, HostTensor>> {
  const named = Object.entries(states).filter(([name]) => !name.endsWith(REST));
  return Object.fromEntries(
    named.map(([name, { data, shape }]) => {
      const rest = states[`${name}${REST}`]?.data;
      const want = expected(name);
      if (rest === undefined || want === undefined) return [name, { data, shape }];
      const turned = data.map((angle, k) => {
        const exact = angle + (rest[k] ?? NaN);
        return exact + TURN * Math.round(((want[k] ?? NaN) - exact) / TURN);
      });
      return [name, { data: turned, shape }];
    }),
  );
}
