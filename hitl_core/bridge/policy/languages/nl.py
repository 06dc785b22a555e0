"""Dutch."""

TEXTS = {
    "on_handoff_message": "Ik heb uw gesprek doorgegeven aan ons team. Er komt zo iemand bij u.",
    "on_human_agent_assigned_message": "{agent_name} neemt nu deel aan het gesprek.",
    "on_hitl_stopped_message": "Ons team heeft het gesprek gesloten. Ik ben de bot en ik ben er weer voor u.",
    "on_user_hitl_cancelled_message": "(De klant heeft het gesprek beëindigd.)",
    "on_incompatible_msg_type_message": (
        "De klant kan dit soort bericht niet ontvangen. Stuur het alstublieft als tekst."
    ),
    "on_user_hitl_close_message": "U hebt het gesprek met ons team beëindigd. Ik ben de bot en ik ben er weer voor u.",
    "on_agent_assigned_timeout_message": (
        "Op dit moment is er niemand van ons team beschikbaar; probeer het later nog eens. "
        "Tot die tijd help ik zo goed als ik kan."
    ),
    "on_start_failed_message": (
        "Ik kon ons team niet bereiken, dus er is nog niemand op de hoogte. Probeer het over een poosje nog eens."
    ),
    "on_session_reopened_message": "Ons team heeft het gesprek weer geopend.",
    "on_unsupported_user_message": (
        "Dit soort bericht kan ik niet doorgeven. Tekst, afbeeldingen, geluid, video's en bestanden werken wel."
    ),
    "on_message_failed_message": (
        "Uw laatste bericht is misschien niet bij ons team aangekomen. "
        "Stuur het nog eens, als het kan als kortere tekst."
    ),
    "on_first_answer_timeout_message": (
        "Ons team kon niet op tijd antwoorden; probeer het later nog eens. Tot die tijd help ik zo goed als ik kan."
    ),
    "on_first_answer_timeout_message/tell": (
        "Ons team heeft langer nodig dan gewoonlijk om te antwoorden. Bedankt voor uw geduld."
    ),
    "on_agent_silence_message": "Ons team heeft langer nodig dan gewoonlijk om te antwoorden. Bedankt voor uw geduld.",
    "on_agent_silence_message/end": (
        "Ons team kon niet op tijd antwoorden; probeer het later nog eens. Tot die tijd help ik zo goed als ik kan."
    ),
    "on_customer_silence_warning_message": "Bent u er nog? Ons team wacht op uw antwoord.",
    "on_customer_silence_message": (
        "We hebben al een tijdje niets van u gehoord, dus het gesprek met ons team is beëindigd. "
        "Ik ben de bot en ik ben er weer voor u."
    ),
    "on_maximum_duration_message": (
        "Het gesprek met ons team heeft de maximale duur bereikt en is beëindigd. "
        "Ik ben de bot en ik ben er weer voor u."
    ),
    "on_off_hours_message": (
        "Ons team is er op dit moment niet. Ik heb uw bericht doorgegeven, en u krijgt later antwoord."
    ),
    "on_off_hours_refused_message": (
        "Ons team is er op dit moment niet. Probeer het later nog eens. Tot die tijd help ik zo goed als ik kan."
    ),
    "on_internal_error_message": (
        "Er is iets misgegaan, en u bent niet meer verbonden met ons team. Ik ben de bot en ik ben er weer voor u."
    ),
    "on_late_message_answer": "(Het gesprek was vóór dit bericht al beëindigd; de klant heeft het niet ontvangen.)",
    "on_stopped_by_operator_message": "Het gesprek met ons team is beëindigd. Ik ben de bot en ik ben er weer voor u.",
    "on_customer_left_note": "(De klant heeft een tijdje niet geantwoord; het gesprek is beëindigd.)",
    "agent_fallback_name": "Ons team",
    "hand_back_marker": "[Het gesprek met de mens is voorbij. Je beantwoordt de klant weer zelf.]",
}
