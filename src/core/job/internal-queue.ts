/** Where Holdfast's own jobs wait, such as acts on many jobs. No application may have it. */
export const INTERNAL_QUEUE = "holdfast";
/** Where the effects are known that no job runs: ledgers without jobs. No application may have it. */
export const GUARD_QUEUE = "holdfast-guard";
/** Where notices wait to be delivered, apart from acts, which can take hours. No application may have it. */
export const NOTICE_QUEUE = "holdfast-notices";
