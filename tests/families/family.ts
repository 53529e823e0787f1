/** What every family's test needs to know. */
import type { Random } from "../support/random.js";
import type { Table } from "./table.js";

/** Constants of a source, by name. */
export type Sizes = Readonly<Record<string, number>>;

export type Loops = (given: (name: string) => Table, y: Table, sizes: Sizes) => void;

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
  /** Sizes at random, edges among them. Without, the source's own are the only ones. */
  readonly draw?: (random: Random) => Sizes;
  /** Those of a model that was published, for docs/families.md: of what has no row there as a family to import. */
  readonly published?: Sizes;
}
