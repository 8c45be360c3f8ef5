import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { asProblem } from "../service/problem.ts";
import { Guide } from "./guide.tsx";
import { Text } from "./link.tsx";
import { TimeOfDay } from "./time.tsx";

/** An empty state, with an explanation. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

/** A problem, in the service's words. */
export function ProblemNote({
  thrown,
  children,
}: {
  readonly thrown: unknown;
  readonly children?: ReactNode;
}) {
  const { title, message, code, issues } = asProblem(thrown);
  // Some say no more than their title, or than the issues below.
  const listed = issues.map((issue) => `${issue.pointer}: ${issue.message}`).join("; ");
  return (
    <div className="problem" role="alert">
      <p className="problem-title">{title}</p>
      <p>
        {message !== title && message !== listed && (
          <>
            <Text of={message} />{" "}
          </>
        )}
        <Guide page="errors.md">
          <span className="code">{code}</span>
        </Guide>
      </p>
      {issues.length > 0 && (
        <ul>
          {issues.map((issue) => (
            <li key={`${issue.pointer} ${issue.message}`}>
              <Text of={issue.pointer} isCode /> <Text of={issue.message} />
            </li>
          ))}
        </ul>
      )}
      {children}
    </div>
  );
}

/** A query's data, or its problem. After a failure the old data stays, with its age. */
export function Loaded<T>(props: {
  readonly query: UseQueryResult<T, Error>;
  readonly children: (data: T) => ReactNode;
}) {
  const { data, error, dataUpdatedAt } = props.query;
  if (data === undefined && error !== null) return <ProblemNote thrown={error} />;
  if (data === undefined) return <Loading />;
  return (
    <>
      {error !== null && (
        <ProblemNote thrown={error}>
          <p>
            What you see is from <TimeOfDay at={dataUpdatedAt} />.
          </p>
        </ProblemNote>
      )}
      {props.children(data)}
    </>
  );
}

export function Loading() {
  return (
    <p className="loading" role="status">
      Loading…
    </p>
  );
}
