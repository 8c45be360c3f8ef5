import { useQuery } from "@tanstack/react-query";
import { count } from "../parts/format.ts";
import { Text } from "../parts/link.tsx";
import { visible } from "../parts/visible.ts";
import type { DoubtGroup } from "../service/answers.ts";
import { type DoubtFilter, doubtGroupsQuery } from "./queries.ts";
import "./verdicts.css";

interface Props {
  readonly filter: Required<DoubtFilter>;
  readonly onChange: (changes: DoubtFilter) => void;
}

const SHOWN = 8;

/** Doubts that look alike, the verdict first: those of a group mostly have one answer. A click lists them alone, another all. */
export function Verdicts({ filter, onChange }: Props) {
  const { verdict: _, ...rest } = filter;
  const groups = useQuery(doubtGroupsQuery(rest));
  const found = groups.data?.groups ?? [];
  if (found.length < 2 && filter.verdict === "") return null;
  return (
    <ul className="verdicts" aria-label="What was seen">
      {found.slice(0, SHOWN).map((group) => (
        <li key={`${group.verdict} ${group.type} ${group.effect}`}>
          <Verdict group={group} filter={filter} onChange={onChange} />
        </li>
      ))}
      {found.length > SHOWN && <li className="quiet">and {count(found.length - SHOWN)} more</li>}
      {groups.data?.isExact === false && <li className="quiet">of the oldest 10,000 of each queue</li>}
    </ul>
  );
}

function Verdict({ group, filter, onChange }: Props & { readonly group: DoubtGroup }) {
  const { verdict, type, effect } = group;
  const isChosen = filter.verdict === verdict && filter.effect === effect && filter.type === (type ?? "");
  const none = { verdict: "", effect: "", type: "" };
  return (
    <button
      type="button"
      className={isChosen ? "verdict chosen" : "verdict"}
      aria-pressed={isChosen}
      onClick={() => onChange(isChosen ? none : { verdict, effect, type: type ?? "" })}
    >
      <b>{visible(verdict)}</b> · {count(group.count)}
      <span className="quiet">
        <Text of={type === null ? effect : `${effect} of ${type}`} />
      </span>
    </button>
  );
}
