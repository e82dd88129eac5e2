<?php
// Hashes of PHP itself, which Laravel stores as they are, and of WordPress; one JSON object a line.

function tell($system, $password, $text) {
    $fixture = ["system" => $system, "made_by" => "PHP " . PHP_VERSION, "password" => $password, "text" => $text];
    echo json_encode($fixture, JSON_UNESCAPED_SLASHES), "\n";
}

$bcrypt = ["cost" => 5];
foreach (json_decode(file_get_contents($argv[1])) as $password) {
    if (strlen($password) <= 72) {
        tell("PHP bcrypt", $password, password_hash($password, PASSWORD_BCRYPT, $bcrypt));
    }
    $argon2 = ["memory_cost" => 1024, "time_cost" => 2, "threads" => 1];
    tell("PHP argon2id", $password, password_hash($password, PASSWORD_ARGON2ID, $argon2));
    tell("PHP argon2i", $password, password_hash($password, PASSWORD_ARGON2I, $argon2));
    // wp_hash_password() of WordPress 6.8 is these two lines.
    $keyed = base64_encode(hash_hmac("sha384", trim($password), "wp-sha384", true));
    tell("WordPress 6.8", $password, '$wp' . password_hash($keyed, PASSWORD_BCRYPT, $bcrypt));
}
tell("Laravel, default", "correct horse", password_hash("correct horse", PASSWORD_BCRYPT, ["cost" => 12]));
