import type { HTMLInputTypeAttribute } from "react";
import { useId } from "react";
import { FieldError, Input, Label, TextField } from "react-aria-components";
import { visible } from "./visible.ts";

interface Props {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** What is wrong with it. */
  readonly fault?: string | undefined;
}

interface LineProps extends Props {
  readonly placeholder?: string;
  readonly type?: HTMLInputTypeAttribute;
  /** @default false */
  readonly isRequired?: boolean;
  /** @default false */
  readonly isFixed?: boolean;
  /** Values to choose from; others are possible. */
  readonly known?: readonly string[];
}

/** A line of text in a form, with what is wrong with it. */
export function Line({ label, value, onChange, fault, placeholder, type, known, ...rest }: LineProps) {
  const list = useId();
  return (
    <TextField
      className="field"
      value={value}
      onChange={onChange}
      isInvalid={fault !== undefined}
      isRequired={rest.isRequired === true}
      isReadOnly={rest.isFixed === true}
      validationBehavior="aria"
      type={type ?? "text"}
      maxLength={200}
    >
      <Label>{label}</Label>
      <Input placeholder={placeholder ?? ""} autoComplete="off" {...(known !== undefined && { list })} />
      {known !== undefined && (
        <datalist id={list}>
          {known.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
      <FieldError>{fault}</FieldError>
    </TextField>
  );
}

interface ChoiceProps<Value extends string> extends Omit<Props, "value" | "onChange"> {
  readonly value: Value;
  readonly onChange: (value: Value) => void;
  /** The values, each with its text. */
  readonly options: Readonly<Record<Value, string>>;
}

/** One of some values, with what is wrong with it. */
export function Choose<Value extends string>({ label, value, onChange, fault, options }: ChoiceProps<Value>) {
  const hint = useId();
  return (
    <label className="field">
      {label}
      <select
        value={value}
        onChange={({ target }) => onChange(target.value as Value)}
        aria-invalid={fault !== undefined}
        aria-describedby={fault === undefined ? undefined : hint}
      >
        {Object.entries<string>(options).map(([option, text]) => (
          <option key={option} value={option}>
            {visible(text)}
          </option>
        ))}
      </select>
      {fault !== undefined && (
        <span id={hint} className="bad">
          {fault}
        </span>
      )}
    </label>
  );
}
