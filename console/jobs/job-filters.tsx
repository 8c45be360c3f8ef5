import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button, Input, Label, SearchField } from "react-aria-components";
import { useLocation } from "wouter";
import { Member } from "../parts/filter-fields.tsx";
import { type FilterField, jobFields } from "../parts/filters.ts";
import { jobPath } from "../parts/link.tsx";
import { NARROW, useMedia } from "../parts/use-media.ts";
import { JOB_ID } from "../search/search-box.tsx";
import type { JobState } from "../service/answers.ts";
import { type JobFilter, typesQuery } from "./queries.ts";

const states: readonly JobState[] = [
  "waiting",
  "waiting-children",
  "prioritized",
  "delayed",
  "active",
  "completed",
  "failed",
];

/** Where people have another word than BullMQ. */
const stateWords: Readonly<Record<string, string>> = {
  prioritized: "waiting by priority (prioritized)",
  "waiting-children": "waiting for children",
  active: "running (active)",
};

interface Props {
  readonly filter: JobFilter;
  readonly onChange: (changes: Partial<JobFilter>) => void;
}

const pick = (names: readonly string[]): readonly FilterField[] =>
  names.flatMap((name) => jobFields.find((field) => field.name === name) ?? []);
const often = pick(["type", "state"]);
const span = pick(["from", "to"]);
/** Every other member, whoever declares it. */
const others: readonly FilterField[] = jobFields.filter((field) => ![...often, ...span].includes(field));

interface FieldsProps extends Props {
  readonly fields: readonly FilterField[];
}

function Fields({ fields, filter, onChange }: FieldsProps) {
  const types = useQuery(typesQuery());
  const known: Readonly<Record<string, readonly string[]>> = {
    type: types.data?.map(({ type }) => type) ?? [],
    queue: types.data?.map(({ queue }) => queue) ?? [],
    state: states,
  };
  return fields.map((field) => (
    <Member
      key={field.name}
      field={field}
      known={known[field.name]}
      wordFor={(name) => stateWords[name]}
      value={filter[field.name as keyof JobFilter]}
      onChange={(text) => onChange({ [field.name]: text })}
    />
  ));
}

/** Which jobs to list. The address holds the filter. */
export function JobFilters({ filter, onChange }: Props) {
  return (
    <search className="filters" aria-label="Jobs">
      {/* Remounts when the address has another key. */}
      <Finder key={filter.idempotencyKey} wanted={filter.idempotencyKey} onFind={onChange} />
      <Fields fields={often} filter={filter} onChange={onChange} />
      <Span filter={filter} onChange={onChange} />
      {/* What is rarely needed, folded unless the address has some of it. */}
      <details
        className="more-filters"
        open={others.some(({ name }) => filter[name as keyof JobFilter] !== "")}
      >
        <summary>More filters</summary>
        <div>
          <Fields fields={others} filter={filter} onChange={onChange} />
        </div>
      </details>
    </search>
  );
}

/** Finds a job by its id or its idempotency key. */
function Finder({ wanted, onFind }: { readonly wanted: string; readonly onFind: Props["onChange"] }) {
  const [text, setText] = useState(wanted);
  const [, navigate] = useLocation();

  function find(event: FormEvent) {
    event.preventDefault();
    if (JOB_ID.test(text.trim())) navigate(jobPath(text.trim()));
    else onFind({ idempotencyKey: text });
  }

  return (
    <form className="finder" onSubmit={find}>
      <SearchField
        className="field"
        value={text}
        onChange={setText}
        onClear={() => onFind({ idempotencyKey: "" })}
      >
        <Label>Job id or idempotency key</Label>
        <div className="finder-line">
          <Input placeholder="signup-42" />
          <Button type="submit" slot={null} className="button">
            Find
          </Button>
        </div>
      </SearchField>
    </form>
  );
}

/** The time of submission. Folded on a narrow screen. */
function Span({ filter, onChange }: Props) {
  const isNarrow = useMedia(NARROW);
  const fields = <Fields fields={span} filter={filter} onChange={onChange} />;
  if (!isNarrow) return fields;
  return (
    <details open={filter.from !== "" || filter.to !== ""}>
      <summary>By time</summary>
      {fields}
    </details>
  );
}
