"""Spanish."""

TEXTS = {
    "on_handoff_message": "He pasado su conversación a nuestro equipo. Una persona le atenderá en breve.",
    "on_human_agent_assigned_message": "{agent_name} se ha unido a la conversación.",
    "on_hitl_stopped_message": (
        "Nuestro equipo ha cerrado la conversación. Soy el bot y vuelvo a estar a su disposición."
    ),
    "on_user_hitl_cancelled_message": "(El cliente ha finalizado la conversación.)",
    "on_incompatible_msg_type_message": (
        "El cliente no puede recibir este tipo de mensaje. Envíelo como texto, por favor."
    ),
    "on_user_hitl_close_message": (
        "Ha finalizado la conversación con nuestro equipo. Soy el bot y vuelvo a estar a su disposición."
    ),
    "on_agent_assigned_timeout_message": (
        "En este momento no hay nadie disponible de nuestro equipo; inténtelo de nuevo más tarde. "
        "Mientras tanto le ayudaré lo mejor que pueda."
    ),
    "on_start_failed_message": (
        "No he podido contactar con nuestro equipo, así que todavía nadie está avisado. "
        "Inténtelo de nuevo dentro de un rato."
    ),
    "on_session_reopened_message": "Nuestro equipo ha vuelto a abrir la conversación.",
    "on_unsupported_user_message": (
        "No puedo transmitir este tipo de mensaje. "
        "Funcionan el texto, las imágenes, el audio, los vídeos y los archivos."
    ),
    "on_message_failed_message": (
        "Es posible que su último mensaje no haya llegado a nuestro equipo. "
        "Envíelo de nuevo, si puede ser en un texto más corto."
    ),
    "on_first_answer_timeout_message": (
        "Nuestro equipo no ha podido responder a tiempo; inténtelo de nuevo más tarde. "
        "Mientras tanto le ayudaré lo mejor que pueda."
    ),
    "on_first_answer_timeout_message/tell": (
        "Nuestro equipo tarda más de lo habitual en responder. Gracias por su paciencia."
    ),
    "on_agent_silence_message": "Nuestro equipo tarda más de lo habitual en responder. Gracias por su paciencia.",
    "on_agent_silence_message/end": (
        "Nuestro equipo no ha podido responder a tiempo; inténtelo de nuevo más tarde. "
        "Mientras tanto le ayudaré lo mejor que pueda."
    ),
    "on_customer_silence_warning_message": "¿Sigue ahí? Nuestro equipo espera su respuesta.",
    "on_customer_silence_message": (
        "Hace un rato que no sabemos nada de usted, así que la conversación con nuestro equipo ha terminado. "
        "Soy el bot y vuelvo a estar a su disposición."
    ),
    "on_maximum_duration_message": (
        "La conversación con nuestro equipo ha alcanzado su duración máxima y ha terminado. "
        "Soy el bot y vuelvo a estar a su disposición."
    ),
    "on_off_hours_message": (
        "Nuestro equipo no está disponible en este momento. "
        "He transmitido su mensaje y alguien le responderá más tarde."
    ),
    "on_off_hours_refused_message": (
        "Nuestro equipo no está disponible en este momento. Inténtelo de nuevo más tarde. "
        "Mientras tanto le ayudaré lo mejor que pueda."
    ),
    "on_internal_error_message": (
        "Algo ha fallado y ya no está en contacto con nuestro equipo. Soy el bot y vuelvo a estar a su disposición."
    ),
    "on_late_message_answer": "(La conversación había terminado antes de este mensaje; el cliente no lo ha recibido.)",
    "on_stopped_by_operator_message": (
        "La conversación con nuestro equipo se ha dado por terminada. Soy el bot y vuelvo a estar a su disposición."
    ),
    "on_customer_left_note": "(El cliente lleva un rato sin responder; la conversación ha terminado.)",
    "agent_fallback_name": "Nuestro equipo",
    "hand_back_marker": "[La conversación con la persona ha terminado. Vuelves a responder tú al cliente.]",
}
