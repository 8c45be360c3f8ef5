/** Where Holdfast's own jobs wait, such as acts on many jobs. No application may have it. */
export const INTERNAL_QUEUE = "holdfast";
