"""French."""

TEXTS = {
    "on_handoff_message": "J'ai transmis votre conversation à notre équipe. Une personne va vous répondre sous peu.",
    "on_human_agent_assigned_message": "{agent_name} a rejoint la conversation.",
    "on_hitl_stopped_message": (
        "Notre équipe a terminé la conversation. Je suis le bot, et je suis de nouveau là pour vous."
    ),
    "on_user_hitl_cancelled_message": "(Le client a mis fin à la conversation.)",
    "on_incompatible_msg_type_message": (
        "Le client ne peut pas recevoir ce type de message. Merci de l'envoyer sous forme de texte."
    ),
    "on_user_hitl_close_message": (
        "Vous avez mis fin à la conversation avec notre équipe. Je suis le bot, et je suis de nouveau là pour vous."
    ),
    "on_agent_assigned_timeout_message": (
        "Personne de notre équipe n'est disponible pour le moment ; veuillez réessayer plus tard. "
        "En attendant, je vous aide de mon mieux."
    ),
    "on_start_failed_message": (
        "Je n'ai pas pu joindre notre équipe ; personne n'est donc encore au courant. "
        "Veuillez réessayer dans un moment."
    ),
    "on_session_reopened_message": "Notre équipe a rouvert la conversation.",
    "on_unsupported_user_message": (
        "Je ne peux pas transmettre ce type de message. "
        "Le texte, les images, le son, les vidéos et les fichiers fonctionnent."
    ),
    "on_message_failed_message": (
        "Votre dernier message n'est peut-être pas parvenu à notre équipe. "
        "Veuillez le renvoyer, si possible en plus court."
    ),
    "on_first_answer_timeout_message": (
        "Notre équipe n'a pas pu répondre à temps ; veuillez réessayer plus tard. "
        "En attendant, je vous aide de mon mieux."
    ),
    "on_first_answer_timeout_message/tell": (
        "Notre équipe met plus de temps que d'habitude à répondre. Merci de votre patience."
    ),
    "on_agent_silence_message": "Notre équipe met plus de temps que d'habitude à répondre. Merci de votre patience.",
    "on_agent_silence_message/end": (
        "Notre équipe n'a pas pu répondre à temps ; veuillez réessayer plus tard. "
        "En attendant, je vous aide de mon mieux."
    ),
    "on_customer_silence_warning_message": "Êtes-vous toujours là ? Notre équipe attend votre réponse.",
    "on_customer_silence_message": (
        "Nous n'avons plus de vos nouvelles depuis un moment ; la conversation avec notre équipe est donc "
        "terminée. Je suis le bot, et je suis de nouveau là pour vous."
    ),
    "on_maximum_duration_message": (
        "La conversation avec notre équipe a atteint sa durée maximale et est terminée. "
        "Je suis le bot, et je suis de nouveau là pour vous."
    ),
    "on_off_hours_message": (
        "Notre équipe n'est pas là en ce moment. J'ai transmis votre message, et quelqu'un vous répondra plus tard."
    ),
    "on_off_hours_refused_message": (
        "Notre équipe n'est pas là en ce moment. Veuillez réessayer plus tard. En attendant, je vous aide de mon mieux."
    ),
    "on_internal_error_message": (
        "Un problème est survenu, et vous n'êtes plus en contact avec notre équipe. "
        "Je suis le bot, et je suis de nouveau là pour vous."
    ),
    "on_late_message_answer": "(La conversation était terminée avant ce message ; le client ne l'a pas reçu.)",
    "on_stopped_by_operator_message": (
        "La conversation avec notre équipe a été terminée. Je suis le bot, et je suis de nouveau là pour vous."
    ),
    "on_customer_left_note": "(Le client n'a pas répondu depuis un moment ; la conversation est terminée.)",
    "agent_fallback_name": "Notre équipe",
    "hand_back_marker": "[La conversation avec l'agent humain est terminée. Tu réponds de nouveau au client.]",
}
