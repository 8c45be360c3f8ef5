import { useQuery } from "@tanstack/react-query";
import { typesQuery } from "../jobs/queries.ts";
import { Member } from "../parts/filter-fields.tsx";
import { doubtFields } from "../parts/filters.ts";
import type { DoubtFilter } from "./queries.ts";

interface Props {
  readonly filter: Required<DoubtFilter>;
  readonly onChange: (changes: DoubtFilter) => void;
}

/** Which doubts to list. */
export function DoubtFilters({ filter, onChange }: Props) {
  const types = useQuery(typesQuery());
  const known = types.data?.map((listed) => listed.type) ?? [];
  return (
    <search className="filters few" aria-label="Doubts">
      {doubtFields.map((field) => (
        <Member
          key={field.name}
          field={field}
          known={field.name === "type" ? known : undefined}
          value={filter[field.name]}
          onChange={(text) => onChange({ [field.name]: text })}
        />
      ))}
    </search>
  );
}
