import { useSearchParams } from "wouter";
import { GroupList } from "./group-list.tsx";
import { GroupPage } from "./group-page.tsx";
import { RetryProvider } from "./retry-dialog.tsx";
import "./failed.css";

/** Failed jobs by reason, and each reason's jobs. */
export function FailedPage() {
  const [params] = useSearchParams();
  const type = params.get("type");
  const code = params.get("code");
  const messagePattern = params.get("messagePattern");
  return (
    <RetryProvider>
      {type !== null && code !== null ? (
        <GroupPage
          key={`${type} ${code} ${messagePattern}`}
          type={type}
          code={code}
          messagePattern={messagePattern}
        />
      ) : (
        <GroupList />
      )}
    </RetryProvider>
  );
}
