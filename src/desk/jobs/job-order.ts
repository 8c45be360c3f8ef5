export const jobOrders = ["newest", "oldest"] as const;
/** By the end of ended jobs, by the submission of tagged ones; of the others, `newest` is who will run last. */
export type JobOrder = (typeof jobOrders)[number];
