import type { ReactNode } from "react";
import { Link } from "react-aria-components";
import { visible } from "./visible.ts";

interface Props {
  /** A path inside the console, e.g. `/jobs`. */
  readonly to: string;
  readonly className?: string;
  readonly current?: boolean;
  readonly label?: string;
  readonly children: ReactNode;
}

/** A link inside the console. */
export function To({ to, className = "", current = false, label, children }: Props) {
  return (
    <Link
      href={to}
      className={className}
      {...(current && { "aria-current": "page" as const })}
      {...(label !== undefined && { "aria-label": label })}
    >
      {children}
    </Link>
  );
}

/** A call of a guard, which no job runs: no queue of an application has this name. */
export function isCall(id: string): boolean {
  return /^holdfast-guard[._]/.test(id);
}

/** The page of a job, or of a guarded effect. */
export function jobPath(id: string): string {
  return `/${isCall(id) ? "guarded" : "jobs"}/${encodeURIComponent(id)}`;
}

/** A link to a job, or to a guarded effect. */
export function JobLink({ id, children }: { readonly id: string; readonly children?: ReactNode }) {
  return <To to={jobPath(id)}>{children ?? <Text of={id} isCode />}</To>;
}

/** Text from outside. `<bdi>` keeps its direction from reordering the text around it. */
export function Text({ of, isCode = false }: { readonly of: string; readonly isCode?: boolean }) {
  const text = visible(of);
  return (
    <bdi className={isCode ? "outside code" : "outside"} title={text}>
      {text}
    </bdi>
  );
}
