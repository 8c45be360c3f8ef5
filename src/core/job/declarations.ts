/** What contracts declare for features. Each feature adds its members in its folder. */
// biome-ignore lint/suspicious/noEmptyInterface: features add members
// biome-ignore lint/correctness/noUnusedVariables: which depend on the payload
export interface JobDeclarations<Payload> {}

/** The same in a contract, where each member is present. */
// biome-ignore lint/suspicious/noEmptyInterface: features add members
// biome-ignore lint/correctness/noUnusedVariables: which depend on the payload
export interface ContractDeclarations<Payload> {}

/** What applications declare for features. */
// biome-ignore lint/suspicious/noEmptyInterface: features add members
export interface ApplicationDeclarations {}
