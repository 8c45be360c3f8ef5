import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { codeOf } from "../service/problem.ts";
import { Copy } from "./copy.tsx";
import { Text } from "./link.tsx";
import { Page } from "./page.tsx";
import { Loaded, ProblemNote } from "./states.tsx";

interface Props<T> {
  readonly id: string;
  /** What it is, until its key is known. */
  readonly title: string;
  readonly query: UseQueryResult<T, Error>;
  readonly nameOf: (found: T) => { readonly idempotencyKey: string | null; readonly kind: string };
  readonly actions: (found: T) => ReactNode;
  /** Why there may be none. */
  readonly ifUnknown: ReactNode;
  readonly children: (found: T) => ReactNode;
}

/** The page of one thing that people know by its key, its kind and its id. */
export function DetailPage<T>({ id, title, query, nameOf, actions, ifUnknown, children }: Props<T>) {
  const name = query.data === undefined ? undefined : nameOf(query.data);
  const key = name?.idempotencyKey ?? title;
  return (
    <Page
      title={key}
      tab={name === undefined ? title : `${key} · ${name.kind}`}
      lead={
        // Both at once: what arrives later must not move what is read.
        query.isPending ? (
          "\u00A0"
        ) : (
          <>
            {name !== undefined && <Text of={name.kind} />} <Text of={id} isCode />{" "}
            <Copy text={id} what="The id" />
          </>
        )
      }
      actions={query.data !== undefined && actions(query.data)}
    >
      {codeOf(query.error) === "JOB_NOT_FOUND" ? (
        <ProblemNote thrown={query.error}>
          <p>{ifUnknown}</p>
        </ProblemNote>
      ) : (
        <Loaded query={query}>{children}</Loaded>
      )}
    </Page>
  );
}

/** One of the facts at the head of such a page. */
export function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
