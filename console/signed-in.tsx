import { useQueryClient } from "@tanstack/react-query";
import { Button } from "react-aria-components";
import { Text } from "./parts/link.tsx";
import { useNotice } from "./parts/notice.tsx";
import { asProblem } from "./service/problem.ts";
import { useSession } from "./service/session.ts";
import { signOut } from "./service/signing.ts";

/** Who is signed in, with which scopes, and a button to sign out. Nothing if the service needs no keys. */
export function SignedIn() {
  const { caller } = useSession();
  const client = useQueryClient();
  const notice = useNotice();
  if (caller === null || caller.name === null) return null;

  async function leave() {
    try {
      await signOut();
      client.clear(); // the next user may not see this data
    } catch (thrown) {
      notice(`You are still signed in. ${asProblem(thrown).message}`);
    }
  }

  return (
    <>
      <p className="who">
        <span className="spoken">Signed in as </span>
        <Text of={caller.name} /> <span className="quiet">({caller.scopes.join(", ")})</span>
      </p>
      <Button className="button small" onPress={() => void leave()}>
        Sign out
      </Button>
    </>
  );
}
