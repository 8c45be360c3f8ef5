import { useState } from "react";
import { visible } from "./visible.ts";

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** A text that counts once it is complete: after Enter, or when the field is left. Give it a key: it keeps what is typed. */
export function Words({ label, value, onChange }: FieldProps) {
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

/** One of the known names, or of any; also the one in the address if it is not known. */
export function Pick({ label, value, known, onChange }: FieldProps & { readonly known: readonly string[] }) {
  const names = new Set(value === "" ? known : [...known, value]);
  return (
    <label className="field">
      {label}
      <select value={value} onChange={({ target }) => onChange(target.value)}>
        <option value="">any</option>
        {[...names].map((name) => (
          <option key={name} value={name}>
            {visible(name)}
          </option>
        ))}
      </select>
    </label>
  );
}

interface MomentProps {
  readonly label: string;
  /** ISO 8601, or empty. */
  readonly at: string;
  readonly onChange: (at: string) => void;
}

/** An instant, in the viewer's time zone. */
export function Moment({ label, at, onChange }: MomentProps) {
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
