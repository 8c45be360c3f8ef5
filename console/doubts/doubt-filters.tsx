import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { typesQuery } from "../jobs/queries.ts";
import type { DoubtFilter } from "./queries.ts";

interface Props {
  readonly filter: Required<DoubtFilter>;
  readonly onChange: (changes: DoubtFilter) => void;
}

/** Which doubts to list. */
export function DoubtFilters({ filter, onChange }: Props) {
  const types = useQuery(typesQuery());
  const known = types.data?.types.map(({ type }) => type) ?? [];
  const { type, effect, reasonText } = filter;
  return (
    <search className="filters" aria-label="Doubts">
      <label className="field">
        Type
        <select value={type} onChange={({ target }) => onChange({ type: target.value })}>
          <option value="">any</option>
          {[...new Set(type === "" ? known : [...known, type])].map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
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
