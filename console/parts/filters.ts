// Written by `npm run docs` from the filters in src/desk and src/features.

/** A member of a filter, as a form has it: a text. */
export interface FilterField {
  readonly name: string;
  readonly label: string;
  readonly isInstant?: true;
}

export const jobFields = [
  { name: "queue", label: "Queue" },
  { name: "type", label: "Type" },
  { name: "state", label: "State" },
  { name: "errorText", label: "Error contains" },
  { name: "keyPart", label: "Key contains" },
  { name: "act", label: "Retried by the act" },
  { name: "label", label: "Label" },
  { name: "search", label: "Search" },
  { name: "tag", label: "Tag" },
  { name: "from", label: "Submitted from", isInstant: true },
  { name: "to", label: "Submitted before", isInstant: true },
  { name: "endedFrom", label: "Ended from", isInstant: true },
  { name: "endedTo", label: "Ended before", isInstant: true },
] as const satisfies readonly FilterField[];

export const doubtFields = [
  { name: "type", label: "Type" },
  { name: "effect", label: "Effect" },
  { name: "reasonText", label: "Reason contains" },
] as const satisfies readonly FilterField[];

export const guardedFields = [
  { name: "effect", label: "Effect" },
  { name: "state", label: "State" },
  { name: "keyText", label: "Key contains" },
] as const satisfies readonly FilterField[];

export const auditFields = [
  { name: "by", label: "By" },
  { name: "from", label: "From", isInstant: true },
  { name: "to", label: "Before", isInstant: true },
] as const satisfies readonly FilterField[];
