import { useQueryClient } from "@tanstack/react-query";
import { ConfirmWindow } from "../parts/dialog.tsx";
import { service } from "../service/call.ts";

interface Props {
  readonly name: string;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Deletes a schedule that was put at run time. */
export function DeleteSchedule({ name, isOpen, onClose }: Props) {
  const client = useQueryClient();

  async function remove() {
    await service.deleteSchedule(name);
    await client.invalidateQueries({ queryKey: ["schedules"] });
  }

  return (
    <ConfirmWindow
      title={`Delete ${name}?`}
      action="Delete"
      isOpen={isOpen}
      onClose={onClose}
      isDangerous
      onConfirm={remove}
    >
      <p>It has no further tick. Jobs of earlier ticks go on.</p>
    </ConfirmWindow>
  );
}
