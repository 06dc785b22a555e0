"""German."""

TEXTS = {
    "on_handoff_message": "Ich habe Ihr Gespräch an unser Team weitergegeben. Gleich ist ein Mensch für Sie da.",
    "on_human_agent_assigned_message": "{agent_name} ist dem Gespräch beigetreten.",
    "on_hitl_stopped_message": "Unser Team hat das Gespräch beendet. Ich bin der Bot und bin wieder für Sie da.",
    "on_user_hitl_cancelled_message": "(Die Kundin oder der Kunde hat das Gespräch beendet.)",
    "on_incompatible_msg_type_message": (
        "Diese Art von Nachricht kommt bei der Kundin oder dem Kunden nicht an. Bitte als Text senden."
    ),
    "on_user_hitl_close_message": (
        "Sie haben das Gespräch mit unserem Team beendet. Ich bin der Bot und bin wieder für Sie da."
    ),
    "on_agent_assigned_timeout_message": (
        "Im Moment ist niemand aus unserem Team frei; bitte versuchen Sie es später noch einmal. "
        "Bis dahin helfe ich, so gut ich kann."
    ),
    "on_start_failed_message": (
        "Ich konnte unser Team nicht erreichen, es weiß also noch niemand Bescheid. "
        "Bitte versuchen Sie es in einer Weile noch einmal."
    ),
    "on_session_reopened_message": "Unser Team hat das Gespräch wieder aufgenommen.",
    "on_unsupported_user_message": (
        "Diese Art von Nachricht kann ich nicht weitergeben. Möglich sind Text, Bilder, Ton, Videos und Dateien."
    ),
    "on_message_failed_message": (
        "Ihre letzte Nachricht ist vielleicht nicht bei unserem Team angekommen. "
        "Bitte senden Sie sie noch einmal, wenn möglich als kürzeren Text."
    ),
    "on_first_answer_timeout_message": (
        "Unser Team konnte nicht rechtzeitig antworten; bitte versuchen Sie es später noch einmal. "
        "Bis dahin helfe ich, so gut ich kann."
    ),
    "on_first_answer_timeout_message/tell": (
        "Unser Team braucht für die Antwort länger als sonst. Vielen Dank für Ihre Geduld."
    ),
    "on_agent_silence_message": "Unser Team braucht für die Antwort länger als sonst. Vielen Dank für Ihre Geduld.",
    "on_agent_silence_message/end": (
        "Unser Team konnte nicht rechtzeitig antworten; bitte versuchen Sie es später noch einmal. "
        "Bis dahin helfe ich, so gut ich kann."
    ),
    "on_customer_silence_warning_message": "Sind Sie noch da? Unser Team wartet auf Ihre Antwort.",
    "on_customer_silence_message": (
        "Wir haben länger nichts von Ihnen gehört, deshalb ist das Gespräch mit unserem Team beendet. "
        "Ich bin der Bot und bin wieder für Sie da."
    ),
    "on_maximum_duration_message": (
        "Das Gespräch mit unserem Team hat seine Höchstdauer erreicht und ist beendet. "
        "Ich bin der Bot und bin wieder für Sie da."
    ),
    "on_off_hours_message": (
        "Unser Team ist gerade nicht da. Ich habe Ihre Nachricht weitergegeben, und Sie bekommen später eine Antwort."
    ),
    "on_off_hours_refused_message": (
        "Unser Team ist gerade nicht da. Bitte versuchen Sie es später noch einmal. "
        "Bis dahin helfe ich, so gut ich kann."
    ),
    "on_internal_error_message": (
        "Etwas ist schiefgegangen, und Sie sind nicht mehr mit unserem Team verbunden. "
        "Ich bin der Bot und bin wieder für Sie da."
    ),
    "on_late_message_answer": "(Das Gespräch war vor dieser Nachricht schon beendet; sie ist nicht mehr angekommen.)",
    "on_stopped_by_operator_message": (
        "Das Gespräch mit unserem Team wurde beendet. Ich bin der Bot und bin wieder für Sie da."
    ),
    "on_customer_left_note": "(Die Kundin oder der Kunde hat länger nicht geantwortet; das Gespräch ist beendet.)",
    "agent_fallback_name": "Unser Team",
    "hand_back_marker": (
        "[Das Gespräch mit dem Menschen ist vorbei. Du antwortest der Kundin oder dem Kunden wieder selbst.]"
    ),
}
