/** What every family's test needs to know. */
import type { Table } from "./table.js";

export type Loops = (given: (name: string) => Table, y: Table) => void;

/** A model family: a whole source of `sources/`, and its equations as plain loops. */
export interface Family {
  /** Of its file. */
  readonly name: string;
  /** Fills the model's one output from its inputs and parameters, by name. Absent for what others are put together to. */
  readonly loops?: Loops;
  /** Inputs between 0 and 1: gates, steps, feature maps. */
  readonly positive?: readonly string[];
  /** Whether it has no `step`. */
  readonly looksAhead?: boolean;
  /** Steps of the test's sequences. */
  readonly steps?: number;
}
