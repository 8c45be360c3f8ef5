import type { ReactNode } from "react";
import { To } from "./link.tsx";
import "./headline.css";

/** The most important numbers of a page. */
export function Headlines({ children }: { readonly children: ReactNode }) {
  return (
    <ul className="headlines" aria-label="In numbers">
      {children}
    </ul>
  );
}

interface Props {
  /** Where it leads. @default nowhere */
  readonly to?: string;
  readonly name: string;
  readonly value: string;
  readonly tone?: "bad" | "doubt" | "calm";
  readonly note: ReactNode;
}

/** A number, with what it means. */
export function Headline({ to, name, value, tone = "calm", note }: Props) {
  const content = (
    <>
      <span className="headline-name">{name}</span>
      <span className="headline-value">{value}</span>
      <span className="headline-note">{note}</span>
    </>
  );
  const className = `headline ${tone}`;
  return (
    <li>
      {to === undefined ? (
        <div className={className}>{content}</div>
      ) : (
        <To to={to} className={className}>
          {content}
        </To>
      )}
    </li>
  );
}
