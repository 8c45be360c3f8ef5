import { sweepsOf } from "../sweep-index.ts";

export const tagIndex = { set: "tag:", all: "tags", namesMax: 10, againMs: 60_000 };

/** Sweeps the tags of a queue from time to time. */
export const inWorker = sweepsOf(tagIndex);
