// Written by `npm run docs` from src/features.

/** The members of a filter of jobs that features add, each a text. */
export const featureFilters = ["label", "search", "tag"] as const;
export type FeatureFilter = (typeof featureFilters)[number];
