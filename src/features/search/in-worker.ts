import { sweepsOf } from "../sweep-index.ts";

/** Most values are of one job or a few: more of them are looked at together, and each less often. */
export const searchIndex = { set: "search:", all: "searches", namesMax: 100, againMs: 10 * 60_000 };

/** Sweeps the searchable values of a queue from time to time. */
export const inWorker = sweepsOf(searchIndex);
