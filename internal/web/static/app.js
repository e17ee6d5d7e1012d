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
