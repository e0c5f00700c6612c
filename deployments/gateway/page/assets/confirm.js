// A question before something that cannot be taken back; Escape and Cancel answer no, and focus returns to where it was.
import { $ } from "/assets/dom.js";

export function confirm({ title, text, yes, act }) {
  const dialog = $("confirm");
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = text;
  $("confirm-yes").textContent = yes;
  $("confirm-error").textContent = "";
  $("reason").value = "";
  $("confirm-form").onsubmit = async (event) => {
    event.preventDefault();
    const reason = $("reason").value.trim();
    if (!reason) {
      $("confirm-error").textContent = "Say why.";
      $("reason").focus();
      return;
    }
    $("confirm-yes").disabled = true;
    try {
      await act(reason);
      dialog.close();
    } catch (error) {
      $("confirm-error").textContent = error.message;
    } finally {
      $("confirm-yes").disabled = false;
    }
  };
  $("confirm-no").onclick = () => dialog.close();
  dialog.showModal();
  $("reason").focus();
}
