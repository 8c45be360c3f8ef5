import { type UseQueryResult, useQueries, useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type { AuditLine } from "../service/answers.ts";
import { type AuditFilter, auditPartsQuery, auditQuery } from "./queries.ts";

/** A line of the audit log, or one of the entries of an act that is open. */
export interface AuditRow extends AuditLine {
  readonly id: string;
  readonly isPart: boolean;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}

/** The lines of the audit log; an act that is open has its entries below. */
export function useAudit(filter?: AuditFilter): {
  readonly query: UseQueryResult<AuditLine[]>;
  readonly rowsOf: (lines: readonly AuditLine[]) => AuditRow[];
} {
  const query = useQuery(auditQuery(filter));
  const [opened, setOpened] = useState<readonly string[]>([]);
  const parts = useQueries({
    queries: opened.map(auditPartsQuery),
    combine: useCallback(
      (found: readonly UseQueryResult<AuditLine[]>[]) =>
        new Map(opened.map((actId, at) => [actId, found[at]?.data ?? []])),
      [opened],
    ),
  });
  const rowsOf = (lines: readonly AuditLine[]) =>
    lines.flatMap((line, at): AuditRow[] => {
      const { actId } = line;
      const row = { ...line, id: idOf(line, lines.length - at), isPart: false, isOpen: false };
      if (line.parts === null || actId === null) return [{ ...row, onToggle: () => {} }];
      const id = `act ${actId}`;
      const isOpen = opened.includes(actId);
      const onToggle = () => setOpened(isOpen ? opened.filter((each) => each !== actId) : [...opened, actId]);
      const below = isOpen ? (parts.get(actId) ?? []) : [];
      const of = (part: AuditLine, index: number): AuditRow => {
        const partId = `${id} ${idOf(part, below.length - index)}`;
        return { ...part, id: partId, isPart: true, isOpen: false, onToggle };
      };
      return [{ ...row, id, isOpen, onToggle }, ...below.map(of)];
    });
  return { query, rowsOf };
}

/** @param fromEnd a new line comes first */
function idOf({ at }: AuditLine, fromEnd: number): string {
  return `${at} ${fromEnd}`;
}
