import type { ReactNode } from "react";

const DOCS = "https://github.com/holdfast-jobs/holdfast/blob/main/docs/";

interface Props {
  /** A page of the docs, with or without a heading of it. */
  readonly page: string;
  readonly children: ReactNode;
}

/** A link to where the docs explain something. */
export function Guide({ page, children }: Props) {
  return (
    <a href={`${DOCS}${page}`} target="_blank" rel="noreferrer">
      {children}
    </a>
  );
}
