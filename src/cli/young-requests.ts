import { setFlagsFromString } from "node:v8";

/**
 * Has V8 take every new object for one that may die young.
 *
 * Left alone it allocates in the old generation what it has seen to live long. Here the same code makes requests that wait for
 * minutes (followers) and requests that are answered in milliseconds. Once V8 took the latter for old, with all that hangs on
 * them, 1,000 submissions a second left 5 MB of garbage a second there, to be marked and swept while clients waited.
 */
export function keepRequestsYoung(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}
