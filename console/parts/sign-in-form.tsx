import { type FormEvent, useState } from "react";
import { Button, FieldError, Input, Label, Text, TextField } from "react-aria-components";
import { signIn } from "../service/signing.ts";
import { ProblemNote } from "./states.tsx";

/** What an Authorization header can hold. */
const SENDABLE = /^[\x21-\x7e]{1,512}$/;

export const SIGN_IN_LEAD =
  "This service needs an API key with the scope read, and operate to change things.";

type Fault =
  | { readonly kind: "malformed" | "unknown" }
  | { readonly kind: "failed"; readonly thrown: unknown };

const faultTexts = {
  malformed: "A key has 1 to 512 letters, digits and symbols, without spaces.",
  unknown: "The service does not know this key.",
  failed: "",
};

/** Asks for an API key and exchanges it for a session. */
export function SignInForm() {
  const [text, setText] = useState("");
  const [fault, setFault] = useState<Fault | null>(null);
  const [isSending, setSending] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    const key = text.trim();
    if (!SENDABLE.test(key)) return setFault({ kind: "malformed" });
    setSending(true);
    try {
      if (!(await signIn(key))) setFault({ kind: "unknown" });
    } catch (thrown) {
      setFault({ kind: "failed", thrown });
    } finally {
      setSending(false);
    }
  }

  return (
    <form className="key-form" onSubmit={(event) => void submit(event)}>
      <TextField
        className="field"
        type="password"
        // Shown beside the field; the browser's own validation would block sending the form again.
        validationBehavior="aria"
        value={text}
        onChange={setText}
        autoComplete="off"
        isInvalid={fault !== null && fault.kind !== "failed"}
        autoFocus
      >
        <Label>Key</Label>
        <Input />
        <FieldError>{fault !== null && faultTexts[fault.kind]}</FieldError>
        <Text slot="description">
          The console does not keep the key. You stay signed in for 12 hours, or until you sign out.
        </Text>
      </TextField>
      {fault?.kind === "failed" && <ProblemNote thrown={fault.thrown} />}
      <Button type="submit" className="button main" isPending={isSending}>
        Sign in
      </Button>
    </form>
  );
}
