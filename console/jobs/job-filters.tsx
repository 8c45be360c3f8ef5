import { useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button, Input, Label, SearchField } from "react-aria-components";
import { useLocation } from "wouter";
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
      <label className="field">
        Type
        <select value={filter.type} onChange={({ target }) => onChange({ type: target.value })}>
          <option value="">any</option>
          {optionsWith(
            types.data?.types.map(({ type }) => type),
            filter.type,
          ).map((type) => (
            <option key={type}>{type}</option>
          ))}
        </select>
      </label>
      <label className="field">
        State
        <select value={filter.state} onChange={({ target }) => onChange({ state: target.value })}>
          <option value="">any</option>
          {states.map((state) => (
            <option key={state}>{state}</option>
          ))}
        </select>
      </label>
      <Span filter={filter} onChange={onChange} />
      <More filter={filter} onChange={onChange} queues={types.data?.types.map(({ queue }) => queue) ?? []} />
    </search>
  );
}

/** What is rarely needed, folded unless the address has some of it. */
function More({ filter, onChange, queues }: Props & { readonly queues: readonly string[] }) {
  const { queue, tag, keyPart, errorText, endedFrom, endedTo } = filter;
  const isUsed = [queue, tag, keyPart, errorText, endedFrom, endedTo].some((value) => value !== "");
  return (
    <details className="more-filters" open={isUsed}>
      <summary>More filters</summary>
      <div>
        <label className="field">
          Queue
          <select value={queue} onChange={({ target }) => onChange({ queue: target.value })}>
            <option value="">any</option>
            {optionsWith([...new Set(queues)], queue).map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <Words key={`tag ${tag}`} label="Tag" value={tag} onChange={(text) => onChange({ tag: text })} />
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
        <Moment label="Ended from" at={endedFrom} onChange={(at) => onChange({ endedFrom: at })} />
        <Moment label="Ended before" at={endedTo} onChange={(at) => onChange({ endedTo: at })} />
      </div>
    </details>
  );
}

interface WordsProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (text: string) => void;
}

/** A text that counts once it is complete: after Enter, or when the field is left. */
function Words({ label, value, onChange }: WordsProps) {
  const [text, setText] = useState(value);
  const apply = () => {
    if (text.trim() !== value) onChange(text.trim());
  };
  return (
    <label className="field">
      {label}
      <input
        value={text}
        onChange={({ target }) => setText(target.value)}
        onBlur={apply}
        onKeyDown={({ key }) => key === "Enter" && apply()}
      />
    </label>
  );
}

/** The known types, and the one in the address even if it is unknown. */
function optionsWith(known: readonly string[] = [], chosen: string): readonly string[] {
  return chosen === "" || known.includes(chosen) ? known : [...known, chosen];
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
  const from = <Moment label="Submitted from" at={filter.from} onChange={(at) => onChange({ from: at })} />;
  const to = <Moment label="to" at={filter.to} onChange={(at) => onChange({ to: at })} />;
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

interface MomentProps {
  readonly label: string;
  /** ISO 8601, or empty. */
  readonly at: string;
  readonly onChange: (at: string) => void;
}

/** An instant, in the viewer's time zone. */
function Moment({ label, at, onChange }: MomentProps) {
  return (
    <label className="field">
      {label}
      <input
        type="datetime-local"
        value={localTime(at)}
        onChange={({ target }) => onChange(target.value === "" ? "" : new Date(target.value).toISOString())}
      />
    </label>
  );
}

function localTime(at: string): string {
  const instant = new Date(at);
  if (Number.isNaN(instant.getTime())) return "";
  const local = new Date(instant.getTime() - instant.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}
