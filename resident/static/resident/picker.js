// Names the field in which the admin picks a user: to screen readers it would have no name.
"use strict";

django.jQuery(function ($) {
    $("select.admin-autocomplete").each(function () {
        const label = document.querySelector(`label[for="${this.id}"]`);
        const shown = document.getElementById(`select2-${this.id}-container`);
        if (!label || !shown) {
            return;
        }
        label.id = label.id || `${this.id}_label`;
        shown.removeAttribute("role");
        shown.removeAttribute("aria-readonly");
        shown.closest("[role=combobox]").setAttribute("aria-labelledby", `${label.id} ${shown.id}`);
    });
});
