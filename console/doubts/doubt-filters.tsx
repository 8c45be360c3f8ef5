import { useQuery } from "@tanstack/react-query";
import { typesQuery } from "../jobs/queries.ts";
import { Pick, Words } from "../parts/filter-fields.tsx";
import type { DoubtFilter } from "./queries.ts";

interface Props {
  readonly filter: Required<DoubtFilter>;
  readonly onChange: (changes: DoubtFilter) => void;
}

/** Which doubts to list. */
export function DoubtFilters({ filter: { type, effect, reasonText }, onChange }: Props) {
  const types = useQuery(typesQuery());
  const known = types.data?.map((listed) => listed.type) ?? [];
  return (
    <search className="filters few" aria-label="Doubts">
      <Pick label="Type" value={type} known={known} onChange={(name) => onChange({ type: name })} />
      <Words
        key={`effect ${effect}`}
        label="Effect"
        value={effect}
        onChange={(text) => onChange({ effect: text })}
      />
      <Words
        key={`reason ${reasonText}`}
        label="Reason contains"
        value={reasonText}
        onChange={(text) => onChange({ reasonText: text })}
      />
    </search>
  );
}
