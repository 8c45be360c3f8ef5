import type { ReactNode } from "react";

interface Props {
  /** The column's title, which a card on a phone shows. */
  readonly title: string;
  /** @default whether it shows nothing */
  readonly isNothing?: boolean;
  readonly children: ReactNode;
}

const nothing = new Set<ReactNode>(["0", "–", "0 B"]);

/** A figure in a table. One that is nothing is faded, and left out on a phone. */
export function Figure({ title, isNothing, children }: Props) {
  return (
    <td data-title={title} className={(isNothing ?? nothing.has(children)) ? "zero" : ""}>
      {children}
    </td>
  );
}
