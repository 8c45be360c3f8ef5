import { Input, Label, TextField } from "react-aria-components";

/** As the service's limit. */
const REASON_MAX = 500;

interface Props {
  readonly text: string;
  readonly onChange: (text: string) => void;
  /** @default false */
  readonly isOptional?: boolean;
}

/** Why somebody does something; the audit log keeps it. */
export function Reason({ text, onChange, isOptional = false }: Props) {
  return (
    <TextField
      validationBehavior="aria"
      className="field"
      value={text}
      onChange={onChange}
      isRequired={!isOptional}
      maxLength={REASON_MAX}
    >
      <Label>{isOptional ? "Reason (optional)" : "Reason"}</Label>
      <Input />
    </TextField>
  );
}
