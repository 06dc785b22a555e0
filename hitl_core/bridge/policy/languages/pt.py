"""Portuguese, as it is read on both sides of the ocean."""

TEXTS = {
    "on_handoff_message": "Passei a sua conversa para a nossa equipe. Em breve uma pessoa vai responder.",
    "on_human_agent_assigned_message": "{agent_name} entrou na conversa.",
    "on_hitl_stopped_message": "A nossa equipe encerrou a conversa. Sou o bot e estou de novo à sua disposição.",
    "on_user_hitl_cancelled_message": "(O cliente encerrou a conversa.)",
    "on_incompatible_msg_type_message": "O cliente não pode receber este tipo de mensagem. Por favor, envie em texto.",
    "on_user_hitl_close_message": (
        "Você encerrou a conversa com a nossa equipe. Sou o bot e estou de novo à sua disposição."
    ),
    "on_agent_assigned_timeout_message": (
        "Neste momento ninguém da nossa equipe está disponível; por favor, tente mais tarde. Até lá, ajudo como puder."
    ),
    "on_start_failed_message": (
        "Não consegui contatar a nossa equipe, por isso ainda ninguém foi avisado. "
        "Por favor, tente de novo daqui a pouco."
    ),
    "on_session_reopened_message": "A nossa equipe reabriu a conversa.",
    "on_unsupported_user_message": (
        "Não posso encaminhar este tipo de mensagem. Texto, imagens, áudio, vídeos e arquivos funcionam."
    ),
    "on_message_failed_message": (
        "A sua última mensagem pode não ter chegado à nossa equipe. "
        "Por favor, envie de novo, se possível com um texto mais curto."
    ),
    "on_first_answer_timeout_message": (
        "A nossa equipe não conseguiu responder a tempo; por favor, tente mais tarde. Até lá, ajudo como puder."
    ),
    "on_first_answer_timeout_message/tell": (
        "A nossa equipe está demorando mais do que o normal para responder. Obrigado pela paciência."
    ),
    "on_agent_silence_message": (
        "A nossa equipe está demorando mais do que o normal para responder. Obrigado pela paciência."
    ),
    "on_agent_silence_message/end": (
        "A nossa equipe não conseguiu responder a tempo; por favor, tente mais tarde. Até lá, ajudo como puder."
    ),
    "on_customer_silence_warning_message": "Ainda está aí? A nossa equipe aguarda a sua resposta.",
    "on_customer_silence_message": (
        "Já não temos notícias suas há algum tempo, por isso a conversa com a nossa equipe terminou. "
        "Sou o bot e estou de novo à sua disposição."
    ),
    "on_maximum_duration_message": (
        "A conversa com a nossa equipe atingiu a duração máxima e terminou. Sou o bot e estou de novo à sua disposição."
    ),
    "on_off_hours_message": (
        "A nossa equipe não está disponível neste momento. "
        "Encaminhei a sua mensagem, e alguém vai responder mais tarde."
    ),
    "on_off_hours_refused_message": (
        "A nossa equipe não está disponível neste momento. Por favor, tente mais tarde. Até lá, ajudo como puder."
    ),
    "on_internal_error_message": (
        "Algo deu errado, e você já não está em contato com a nossa equipe. Sou o bot e estou de novo à sua disposição."
    ),
    "on_late_message_answer": "(A conversa tinha terminado antes desta mensagem; o cliente não a recebeu.)",
    "on_stopped_by_operator_message": (
        "A conversa com a nossa equipe foi encerrada. Sou o bot e estou de novo à sua disposição."
    ),
    "on_customer_left_note": "(O cliente não responde há algum tempo; a conversa terminou.)",
    "agent_fallback_name": "A nossa equipe",
    "hand_back_marker": "[A conversa com a pessoa terminou. Agora você responde de novo ao cliente.]",
}
