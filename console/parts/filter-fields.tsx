import { useId, useState } from "react";
import { durationOf, instantOf } from "../../src/desk/jobs/instant.ts";
import type { FilterField } from "./filters.ts";
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

interface PickProps extends FieldProps {
  readonly known: readonly string[];
  /** What a name is called. @default itself */
  readonly wordFor?: ((name: string) => string | undefined) | undefined;
}

/** One of the known names, or of any; also the one in the address if it is not known. */
function PickOne({ label, value, known, onChange, wordFor }: PickProps) {
  const names = new Set(value === "" ? known : [...known, value]);
  return (
    <label className="field">
      {label}
      <select value={value} onChange={({ target }) => onChange(target.value)}>
        <option value="">any</option>
        {[...names].map((name) => (
          <option key={name} value={name}>
            {wordFor?.(name) ?? visible(name)}
          </option>
        ))}
      </select>
    </label>
  );
}

interface MemberProps extends Omit<FieldProps, "label"> {
  readonly field: FilterField;
  /** @default any text will do */
  readonly known?: readonly string[] | undefined;
  readonly wordFor?: PickProps["wordFor"];
}

/** The field of a filter's member: an instant, one of the known names, or any text. */
export function Member({ field: { name, label, isInstant }, known, wordFor, ...props }: MemberProps) {
  if (isInstant) return <When label={label} at={props.value} onChange={props.onChange} />;
  if (known !== undefined) return <PickOne label={label} known={known} wordFor={wordFor} {...props} />;
  return <Words key={`${name} ${props.value}`} label={label} {...props} />;
}

interface WhenProps {
  readonly label: string;
  /** As the address has it: an instant, a day or an age. Empty: any. */
  readonly at: string;
  readonly onChange: (at: string) => void;
}

/** An instant, in the viewer's time zone; or a day or an age, as on the command line. It counts after Enter, or when the field is left. */
function When(props: WhenProps) {
  return <WhenField key={props.at} {...props} />;
}

const DAY = /^\d{4}-\d\d-\d\d$/;
const LOCAL = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d$/;

function WhenField({ label, at, onChange }: WhenProps) {
  const [text, setText] = useState(LOCAL.test(localTime(at)) ? localTime(at).replace("T", " ") : at);
  const [isWrong, setWrong] = useState(false);
  const hint = useId();
  function apply() {
    const read = whenOf(text.trim());
    setWrong(read === undefined);
    if (read !== undefined && read !== at) onChange(read);
  }
  return (
    <label className="field">
      {label}
      <input
        value={text}
        placeholder="12h or 2026-12-01"
        aria-invalid={isWrong}
        aria-describedby={isWrong ? hint : undefined}
        onChange={({ target }) => setText(target.value)}
        onBlur={apply}
        onKeyDown={({ key }) => key === "Enter" && apply()}
      />
      {isWrong && (
        <span id={hint} className="bad">
          Expected a time such as 2026-12-01 09:00, a day such as 2026-12-01 (from its beginning in UTC), or
          an age such as 30min, 12h or 7d.
        </span>
      )}
    </label>
  );
}

/** As an address has it; undefined for what is no time. A day and an age stay as they are: the service reads them. */
function whenOf(text: string): string | undefined {
  if (text === "") return "";
  if (!LOCAL.test(text)) return instantOf(text, Date.now()) === undefined ? undefined : text;
  const instant = new Date(text.replace(" ", "T"));
  return Number.isNaN(instant.getTime()) ? undefined : instant.toISOString();
}

interface MomentProps extends FieldProps {
  /** What is wrong with it. */
  readonly fault?: string | undefined;
}

/** An instant, in the viewer's time zone: ISO 8601, or empty. */
export function Moment({ label, value, onChange, fault }: MomentProps) {
  const hint = useId();
  return (
    <label className="field">
      {label}
      <input
        type="datetime-local"
        value={localTime(value)}
        onChange={({ target }) => onChange(target.value === "" ? "" : new Date(target.value).toISOString())}
        aria-invalid={fault !== undefined}
        aria-describedby={fault === undefined ? undefined : hint}
      />
      {fault !== undefined && (
        <span id={hint} className="bad">
          {fault}
        </span>
      )}
    </label>
  );
}

function localTime(at: string): string {
  if (durationOf(at) !== undefined || DAY.test(at)) return "";
  const instant = new Date(at);
  if (Number.isNaN(instant.getTime())) return "";
  const local = new Date(instant.getTime() - instant.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}
