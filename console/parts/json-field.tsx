import { FieldError, Label, Text, TextArea, TextField } from "react-aria-components";

/** What the service puts in the place of a secret. */
export const REDACTED = JSON.stringify("[redacted]");

interface Props {
  readonly label: string;
  readonly text: string;
  readonly onChange: (text: string) => void;
  /** Whether nothing is an answer, too. @default false */
  readonly isOptional?: boolean;
  /** What the service says is wrong with it. */
  readonly fault?: string | undefined;
  /** @default 10 */
  readonly rows?: number;
}

/** A field for JSON, which says when its text is none, and when secrets are missing in it. */
export function JsonField({ label, text, onChange, isOptional = false, fault, rows = 10 }: Props) {
  const isJson = (isOptional && text.trim() === "") || parseJson(text) !== undefined;
  return (
    <TextField
      className="field json-field"
      value={text}
      onChange={onChange}
      isInvalid={!isJson || fault !== undefined}
      validationBehavior="aria"
    >
      <Label>{label}</Label>
      <TextArea rows={rows} spellCheck="false" />
      {text.includes(REDACTED) && (
        <Text slot="description">Secrets are redacted here. Fill in each {REDACTED} first.</Text>
      )}
      <FieldError>{isJson ? fault : "This is not JSON."}</FieldError>
    </TextField>
  );
}

/** @returns undefined for what is no JSON */
export function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
