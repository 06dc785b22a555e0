"""Italian."""

TEXTS = {
    "on_handoff_message": "Ho passato la conversazione al nostro team. A breve le risponderà una persona.",
    "on_human_agent_assigned_message": "{agent_name} partecipa ora alla conversazione.",
    "on_hitl_stopped_message": (
        "Il nostro team ha chiuso la conversazione. Sono il bot e sono di nuovo a sua disposizione."
    ),
    "on_user_hitl_cancelled_message": "(Il cliente ha terminato la conversazione.)",
    "on_incompatible_msg_type_message": (
        "Il cliente non può ricevere questo tipo di messaggio. Lo invii come testo, per favore."
    ),
    "on_user_hitl_close_message": (
        "Ha terminato la conversazione con il nostro team. Sono il bot e sono di nuovo a sua disposizione."
    ),
    "on_agent_assigned_timeout_message": (
        "Al momento nessuno del nostro team è disponibile; riprovi più tardi. Nel frattempo la aiuterò come posso."
    ),
    "on_start_failed_message": (
        "Non sono riuscito a contattare il nostro team, quindi nessuno è ancora stato avvisato. Riprovi tra un po'."
    ),
    "on_session_reopened_message": "Il nostro team ha riaperto la conversazione.",
    "on_unsupported_user_message": (
        "Non posso inoltrare questo tipo di messaggio. Vanno bene testo, immagini, audio, video e file."
    ),
    "on_message_failed_message": (
        "Il suo ultimo messaggio potrebbe non essere arrivato al nostro team. "
        "Lo invii di nuovo, se possibile con un testo più breve."
    ),
    "on_first_answer_timeout_message": (
        "Il nostro team non è riuscito a rispondere in tempo; riprovi più tardi. Nel frattempo la aiuterò come posso."
    ),
    "on_first_answer_timeout_message/tell": (
        "Il nostro team impiega più tempo del solito a rispondere. Grazie per la pazienza."
    ),
    "on_agent_silence_message": "Il nostro team impiega più tempo del solito a rispondere. Grazie per la pazienza.",
    "on_agent_silence_message/end": (
        "Il nostro team non è riuscito a rispondere in tempo; riprovi più tardi. Nel frattempo la aiuterò come posso."
    ),
    "on_customer_silence_warning_message": "È ancora lì? Il nostro team aspetta la sua risposta.",
    "on_customer_silence_message": (
        "Non abbiamo sue notizie da un po', quindi la conversazione con il nostro team è terminata. "
        "Sono il bot e sono di nuovo a sua disposizione."
    ),
    "on_maximum_duration_message": (
        "La conversazione con il nostro team ha raggiunto la durata massima ed è terminata. "
        "Sono il bot e sono di nuovo a sua disposizione."
    ),
    "on_off_hours_message": (
        "Il nostro team non è presente in questo momento. "
        "Ho inoltrato il suo messaggio e qualcuno le risponderà più tardi."
    ),
    "on_off_hours_refused_message": (
        "Il nostro team non è presente in questo momento. Riprovi più tardi. Nel frattempo la aiuterò come posso."
    ),
    "on_internal_error_message": (
        "Qualcosa è andato storto e non è più in contatto con il nostro team. "
        "Sono il bot e sono di nuovo a sua disposizione."
    ),
    "on_late_message_answer": (
        "(La conversazione era terminata prima di questo messaggio; il cliente non l'ha ricevuto.)"
    ),
    "on_stopped_by_operator_message": (
        "La conversazione con il nostro team è stata terminata. Sono il bot e sono di nuovo a sua disposizione."
    ),
    "on_customer_left_note": "(Il cliente non risponde da un po'; la conversazione è terminata.)",
    "agent_fallback_name": "Il nostro team",
    "hand_back_marker": "[La conversazione con la persona è finita. Ora rispondi di nuovo tu al cliente.]",
}
