/** Where instrumented code counts what it reaches: a global of its bundle. */
export const COUNTERS = "__hits";
/** Places share counters beyond this many; there are fewer. */
export const MOST_PLACES = 2 ** 15;
