// What makes the console quicker for who has scripts; nothing needs it.
"use strict";

// The key of a search field leads to it, unless somebody types.
for (const field of document.querySelectorAll("[data-shortcut]")) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== field.dataset.shortcut || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    field.select();
    field.focus();
  });
}

// One box for all rows of a page.
for (const all of document.querySelectorAll("[data-all]")) {
  all.addEventListener("change", () => {
    for (const one of all.form.querySelectorAll(`[name=${all.dataset.all}]`)) one.checked = all.checked;
  });
}

// What is shown once can be copied at a press.
for (const shown of document.querySelectorAll("[data-copy]")) {
  for (const code of shown.querySelectorAll("code")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet copy", textContent: shown.dataset.copy });
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = shown.dataset.copied;
    });
    code.after(button);
  }
}

// What is done with many rows is done with one after the other, and says how far it is.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-steps]");
  const form = button?.form;
  const rows = form ? [...form.querySelectorAll("[name=id]:checked, [name=id][type=hidden]")] : [];
  if (rows.length < 2) return;
  event.preventDefault();
  const bar = document.createElement("progress");
  const far = document.createElement("span");
  far.setAttribute("role", "status");
  bar.max = rows.length;
  bar.setAttribute("aria-label", button.innerText);
  button.parentElement.replaceChildren(bar, far);
  const failed = [];
  let last;
  for (const [done, row] of rows.entries()) {
    let text = button.dataset.steps;
    for (const n of [done + 1, rows.length]) text = text.replace("%d", n);
    far.textContent = text;
    bar.value = done + 1;
    const body = new URLSearchParams({ id: row.value, do: button.value, sure: "true" });
    last = await fetch(location.href, { method: "POST", body });
    if (last.ok) continue;
    const page = new DOMParser().parseFromString(await last.text(), "text/html");
    failed.push(page.querySelector(".problem.box p:last-of-type")?.textContent ?? last.statusText);
  }
  if (failed.length === 0) {
    location.assign(last.url.replace(/n=1$/, "n=" + rows.length));
    return;
  }
  const box = document.createElement("div");
  box.className = "problem box";
  box.setAttribute("role", "alert");
  for (const sentence of failed) box.append(Object.assign(document.createElement("p"), { textContent: sentence }));
  form.before(box);
  far.textContent = `${rows.length - failed.length} / ${rows.length}`;
});
