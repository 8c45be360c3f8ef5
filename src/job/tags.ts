import { z } from "zod";

export const TAGS_MAX = 10;

/** What people narrow lists by, e.g. `customer:42`. Stored in the clear. */
export const tagSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,63}$/, {
  message: "expected 1 to 64 letters, digits and . _ : @ / -, the first a letter or digit",
});
