import { type FormEvent, useState } from "react";
import { Button, FieldError, Input, Label, Text, TextField } from "react-aria-components";
import { Page } from "./parts/page.tsx";
import { takeKey } from "./service/key.ts";

/** What can stand in an Authorization header. */
const SENDABLE = /^[\x21-\x7e]{1,512}$/;

/** Asks for the API key that the service wants. */
export function KeyForm({ asked }: { readonly asked: "needed" | "refused" }) {
  const [text, setText] = useState("");
  const [isWrong, setWrong] = useState(false);

  function submit(event: FormEvent) {
    event.preventDefault();
    const key = text.trim();
    if (SENDABLE.test(key)) takeKey(key);
    else setWrong(true);
  }

  return (
    <Page
      title="API key"
      lead="This service is guarded: show it a key that may read, and operate if you want to."
    >
      <form className="key-form" onSubmit={submit}>
        <TextField
          className="field"
          type="password"
          // Said beside the field; the browser's own validation would keep the form from being sent again.
          validationBehavior="aria"
          value={text}
          onChange={setText}
          autoComplete="off"
          isInvalid={isWrong || asked === "refused"}
          autoFocus
        >
          <Label>Key</Label>
          <Input />
          <FieldError>
            {isWrong
              ? "A key has 1 to 512 letters, digits and signs, without spaces."
              : "The service does not know this key."}
          </FieldError>
          <Text slot="description">It is kept in this tab only, until you close it.</Text>
        </TextField>
        <Button type="submit" className="button main">
          Use this key
        </Button>
      </form>
    </Page>
  );
}
