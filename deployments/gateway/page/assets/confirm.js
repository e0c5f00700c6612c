// A question before something that cannot be taken back; Escape and Cancel answer no, and focus returns to where it was.
import { $ } from "/assets/dom.js";

// `asksWhy`: whether a reason has to be given, which `act` is called with.
export function confirm({ title, text, yes, no = "Cancel", isDanger, asksWhy = false, act }) {
  const dialog = $("confirm");
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = text;
  $("confirm-yes").textContent = yes;
  $("confirm-yes").className = isDanger ? "danger solid" : "main";
  $("confirm-no").textContent = no;
  $("confirm-why").hidden = !asksWhy;
  $("confirm-error").textContent = "";
  $("reason").value = "";
  $("confirm-form").onsubmit = async (event) => {
    event.preventDefault();
    const reason = $("reason").value.trim();
    if (asksWhy && !reason) return refuse("Say why.");
    $("confirm-yes").disabled = true;
    try {
      await act(reason);
      dialog.close();
    } catch (error) {
      refuse(error.message);
    } finally {
      $("confirm-yes").disabled = false;
    }
  };
  $("confirm-no").onclick = () => dialog.close();
  dialog.showModal();
  $(asksWhy ? "reason" : "confirm-no").focus();
}

function refuse(why) {
  $("confirm-error").textContent = why;
  if (!$("confirm-why").hidden) $("reason").focus();
}
