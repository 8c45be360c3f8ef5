import { Button } from "react-aria-components";
import { useNotice } from "./notice.tsx";

interface Props {
  readonly text: string;
  /** What it is, e.g. "The payload". */
  readonly what: string;
}

/** Copies a text, exactly as it came. */
export function Copy({ text, what }: Props) {
  const notice = useNotice();
  async function copy() {
    notice(
      (await copied(text)) ? `${what} is copied.` : "The browser does not allow it: select and copy it.",
    );
  }
  return (
    <Button className="copy" aria-label={`Copy: ${what}`} onPress={() => void copy()}>
      Copy
    </Button>
  );
}

async function copied(text: string): Promise<boolean> {
  // Browsers have no clipboard on plain HTTP from another machine.
  if (navigator.clipboard === undefined) return selectAndCopy(text);
  return await navigator.clipboard.writeText(text).then(
    () => true,
    () => false,
  );
}

function selectAndCopy(text: string): boolean {
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  return isCopied;
}
