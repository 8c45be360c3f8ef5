import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button, Input, Label, SearchField } from "react-aria-components";
import { useLocation } from "wouter";
import { Pick, When, Words } from "../parts/filter-fields.tsx";
import { jobPath } from "../parts/link.tsx";
import { NARROW, useMedia } from "../parts/use-media.ts";
import { JOB_ID } from "../search/search-box.tsx";
import type { JobState } from "../service/answers.ts";
import { featureFilters } from "./feature-filters.ts";
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

/** Which jobs to list. The address holds the filter. */
export function JobFilters({ filter, onChange }: Props) {
  const types = useQuery(typesQuery());
  return (
    <search className="filters" aria-label="Jobs">
      {/* Remounts when the address has another key. */}
      <Finder key={filter.idempotencyKey} wanted={filter.idempotencyKey} onFind={onChange} />
      <Pick
        label="Type"
        value={filter.type}
        known={types.data?.map(({ type }) => type) ?? []}
        onChange={(type) => onChange({ type })}
      />
      <Pick
        label="State"
        value={filter.state}
        known={states}
        wordFor={(state) => stateWords[state]}
        onChange={(state) => onChange({ state })}
      />
      <Span filter={filter} onChange={onChange} />
      <More filter={filter} onChange={onChange} queues={types.data?.map(({ queue }) => queue) ?? []} />
    </search>
  );
}

/** What is rarely needed, folded unless the address has some of it. */
function More({ filter, onChange, queues }: Props & { readonly queues: readonly string[] }) {
  const { queue, keyPart, errorText, endedFrom, endedTo } = filter;
  const ofFeatures = featureFilters.map((name) => filter[name]);
  const isUsed = [queue, ...ofFeatures, keyPart, errorText, endedFrom, endedTo].some((value) => value !== "");
  return (
    <details className="more-filters" open={isUsed}>
      <summary>More filters</summary>
      <div>
        <Pick label="Queue" value={queue} known={queues} onChange={(name) => onChange({ queue: name })} />
        {featureFilters.map((name) => (
          <Words
            key={`${name} ${filter[name]}`}
            label={capitalised(name)}
            value={filter[name]}
            onChange={(text) => onChange({ [name]: text })}
          />
        ))}
        <Words
          key={`part ${keyPart}`}
          label="Key contains"
          value={keyPart}
          onChange={(text) => onChange({ keyPart: text })}
        />
        <Words
          key={`error ${errorText}`}
          label="Error contains"
          value={errorText}
          onChange={(text) => onChange({ errorText: text })}
        />
        <When label="Ended from" at={endedFrom} onChange={(at) => onChange({ endedFrom: at })} />
        <When label="Ended before" at={endedTo} onChange={(at) => onChange({ endedTo: at })} />
      </div>
    </details>
  );
}

function capitalised(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
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
  const from = <When label="Submitted from" at={filter.from} onChange={(at) => onChange({ from: at })} />;
  const to = <When label="Submitted before" at={filter.to} onChange={(at) => onChange({ to: at })} />;
  if (!isNarrow) {
    return (
      <>
        {from}
        {to}
      </>
    );
  }
  return (
    <details open={filter.from !== "" || filter.to !== ""}>
      <summary>By time</summary>
      {from}
      {to}
    </details>
  );
}
